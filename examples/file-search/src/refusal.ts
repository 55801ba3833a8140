/** What the caller can do something about: its text is the tool's answer. Everything else that is thrown is a fault. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
}
