/** What the official SDKs (v1 and v2) call a transport, as far as both agree; nothing of them is imported. */

// biome-ignore lint/suspicious/noExplicitAny: each SDK has types of its own for the same messages
type Message = any

export interface SdkTransport {
  /** Begins delivery; the SDK calls it once its callbacks are set. */
  start(): Promise<void>
  send(message: Message, options?: unknown): Promise<void>
  close(): Promise<void>
  onclose?: (() => void) | undefined
  onerror?: ((error: Error) => void) | undefined
  onmessage?: ((message: Message, extra?: Message) => void) | undefined
}
