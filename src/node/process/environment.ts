/**
 * The environment of a child: a documented list of inherited variables, never everything (our own
 * environment may hold secrets of other servers), then files, then what was given by name.
 */

export type Environment = Readonly<Record<string, string | undefined>>

export interface ChildEnvironmentOptions {
  /** Where inherited values come from; our own environment by default. */
  readonly inherit?: Environment
  /** Further names to inherit. A name that ends in `*` stands for all that begin so, `*` for all but our own settings. */
  readonly inheritNames?: readonly string[]
  /** Values read from `.env` files, in order; later ones win. */
  readonly files?: readonly Environment[]
  /** Values given by name; they win over everything else. */
  readonly env?: Environment
  /** `process.platform` by default. (Not its type: consumers may have no types of Node.) */
  readonly platform?: string
}

/** Inherited everywhere (docs/environment.md). A name that ends in `*` stands for all that begin so, secrets excepted. */
export const INHERITED: readonly string[] = [
  // Who and where
  'HOME',
  'PATH',
  'USER',
  'LOGNAME',
  'SHELL',
  'TERM',
  'COLORTERM',
  'TMPDIR',
  'TZ',
  'LANG',
  'LANGUAGE',
  'LC_*',
  'XDG_*',
  'DISPLAY',
  'WAYLAND_DISPLAY',
  // The way to the network
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'ALL_PROXY',
  'NO_PROXY',
  'http_proxy',
  'https_proxy',
  'all_proxy',
  'no_proxy',
  'NODE_EXTRA_CA_CERTS',
  'NODE_USE_SYSTEM_CA',
  'NODE_USE_ENV_PROXY',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'UV_NATIVE_TLS',
  'PIP_CERT',
  'GIT_SSL_CAINFO',
  'REQUESTS_CA_BUNDLE',
  'CURL_CA_BUNDLE',
  // What launchers need to find and cache programs. No registry credentials are among them.
  'NVM_DIR',
  'NVM_BIN',
  'NVM_HOME',
  'NVM_SYMLINK',
  'FNM_DIR',
  'FNM_MULTISHELL_PATH',
  'VOLTA_HOME',
  'MISE_*',
  'ASDF_DIR',
  'ASDF_DATA_DIR',
  'NODENV_ROOT',
  'N_PREFIX',
  'HOMEBREW_PREFIX',
  'PNPM_HOME',
  'BUN_INSTALL',
  'DENO_DIR',
  'DENO_INSTALL',
  'COREPACK_HOME',
  'npm_config_cafile',
  'npm_config_cache',
  'npm_config_prefix',
  'npm_config_userconfig',
  'npm_config_globalconfig',
  'npm_config_registry',
  'NPM_CONFIG_CACHE',
  'NPM_CONFIG_PREFIX',
  'NPM_CONFIG_USERCONFIG',
  'NPM_CONFIG_REGISTRY',
  'UV_CACHE_DIR',
  'UV_TOOL_DIR',
  'UV_PYTHON_INSTALL_DIR',
  'PIPX_HOME',
  'PIPX_BIN_DIR',
  'PYENV_ROOT',
  'VIRTUAL_ENV',
  'CONDA_PREFIX',
  'CARGO_HOME',
  'RUSTUP_HOME',
  'GOPATH',
  'GOROOT',
  'JAVA_HOME',
  'DOCKER_HOST',
  'DOCKER_CONFIG',
  'DOCKER_CONTEXT',
]

/** Inherited on Windows as well; names compare without case there. */
export const INHERITED_WINDOWS: readonly string[] = [
  'APPDATA',
  'LOCALAPPDATA',
  'ALLUSERSPROFILE',
  'PROGRAMDATA',
  'PROGRAMFILES',
  'PROGRAMFILES(X86)',
  'PROGRAMW6432',
  'COMMONPROGRAMFILES',
  'COMMONPROGRAMFILES(X86)',
  'COMMONPROGRAMW6432',
  'SYSTEMROOT',
  'SYSTEMDRIVE',
  'WINDIR',
  'COMSPEC',
  'PATHEXT',
  'PSMODULEPATH',
  'TEMP',
  'TMP',
  'USERNAME',
  'USERDOMAIN',
  'USERPROFILE',
  'HOMEDRIVE',
  'HOMEPATH',
  'COMPUTERNAME',
  'OS',
  'NUMBER_OF_PROCESSORS',
  'PROCESSOR_ARCHITECTURE',
]

/**
 * Set unless given otherwise: Python buffers its output when it is a pipe, and encodes it by the locale,
 * and either breaks a protocol of UTF-8 lines.
 */
const DEFAULTS: Environment = { PYTHONUNBUFFERED: '1', PYTHONUTF8: '1', PYTHONIOENCODING: 'utf-8' }

/** Such names are inherited only where somebody names them in full: `MISE_GITHUB_TOKEN` is no part of `MISE_*`. */
const SECRET = /TOKEN|KEY|SECRET|PASSW|CREDENTIAL|AUTH/i
/** Our own settings, the key that seals the state of waiting calls among them. */
const OWN = /^ANYPORT_/i

export function childEnvironment(options: ChildEnvironmentOptions = {}): Record<string, string> {
  const {
    inherit = process.env,
    inheritNames = [],
    files = [],
    env = {},
    platform = process.platform,
  } = options
  const windows = platform === 'win32'
  const environment = new EnvironmentTable(windows)
  environment.add(DEFAULTS)
  const isListed = nameMatcher([...INHERITED, ...(windows ? INHERITED_WINDOWS : [])], windows)
  const isAsked = nameMatcher(inheritNames, windows)
  const everything = inheritNames.includes('*')
  const isInherited = (name: string) =>
    (isListed(name) && !SECRET.test(name)) || (isAsked(name) && !(everything && OWN.test(name)))
  for (const [name, value] of Object.entries(inherit)) {
    // An exported shell function is code, not a value.
    if (isInherited(name) && value !== undefined && !value.startsWith('()')) environment.set(name, value)
  }
  for (const file of files) environment.add(file)
  environment.add(env)
  return environment.toObject()
}

/** Names compare without case on Windows: a later `Path` replaces an earlier `PATH`. */
class EnvironmentTable {
  readonly #entries = new Map<string, readonly [name: string, value: string]>()

  constructor(private readonly ignoreCase: boolean) {}

  set(name: string, value: string): void {
    this.#entries.set(this.ignoreCase ? name.toUpperCase() : name, [name, value])
  }

  add(values: Environment): void {
    for (const [name, value] of Object.entries(values)) if (value !== undefined) this.set(name, value)
  }

  toObject(): Record<string, string> {
    return Object.fromEntries(this.#entries.values())
  }
}

function nameMatcher(names: readonly string[], ignoreCase: boolean): (name: string) => boolean {
  const fold = (name: string) => (ignoreCase ? name.toUpperCase() : name)
  const exact = new Set<string>()
  const prefixes: string[] = []
  for (const name of names) {
    if (name.endsWith('*')) prefixes.push(fold(name.slice(0, -1)))
    else exact.add(fold(name))
  }
  return name => exact.has(fold(name)) || prefixes.some(prefix => fold(name).startsWith(prefix))
}
