/** The seam to the person who signs in, and to whatever receives the answer of the authorization server. */

export interface Person {
  /**
   * Begins to listen for the answer. `preferred` is the redirect address that we are registered with, if we are. Rejects with
   * `TransportError` ERR_LISTEN where the chosen port cannot be had.
   */
  receive(preferred: string | undefined): Promise<AnswerReceiver>
}

export interface AnswerReceiver {
  /** Exactly as it goes into the registration and into both requests. */
  readonly redirectUri: string
  /** Shows the address to the person. Resolves with the first answer that carries `state`; rejects when aborted. */
  ask(address: URL, state: string, signal: AbortSignal): Promise<AuthorizationAnswer>
  close(): Promise<void>
}

export interface AuthorizationAnswer {
  readonly parameters: URLSearchParams
  /** Tells the person how it ended. */
  conclude(error: Error | undefined): void
}
