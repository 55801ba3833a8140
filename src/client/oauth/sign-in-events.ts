/** What happens around a sign-in, for people and their logs. No event holds a token, code or secret. */
export type SignInEvent =
  /** A person has to open this address; undefined where nothing here could receive the answer. Once per sign-in. */
  | { readonly type: 'auth-required'; readonly server: string; readonly url: string | undefined }
  /** Another process asks the person; this one waits for its outcome. */
  | { readonly type: 'auth-awaited'; readonly server: string }
  | { readonly type: 'signed-in'; readonly server: string; readonly issuer: string }
  /** The authorization server does not renew the sign-in any more: it was removed, and the next request asks for a new one. */
  | { readonly type: 'sign-in-ended'; readonly server: string; readonly issuer: string }
  | { readonly type: 'sign-in-failed'; readonly server: string; readonly error: Error }
  /** Nothing can be stored: this process keeps what it gets to itself, others will need a sign-in of their own. */
  | { readonly type: 'sign-in-not-stored'; readonly server: string; readonly error: Error }
