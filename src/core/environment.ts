/** What is asked of a package; each is an option of `supervise install` too. */
export const PACKAGE_VARIABLES = {
  PACKAGE_ZIP_URL: 'a package: http, https or file. In the variable, it is in no list of processes',
  PACKAGE_DIR: 'where the package goes, or is already',
  PACKAGE_ZIP_SHA256: 'what the file’s SHA-256 must be',
  PACKAGE_MAX_SIZE: 'most that is fetched',
  PACKAGE_MAX_UNPACKED: 'most that is unpacked; else 100 times the file, at least 64MB, at most 4GB',
  PACKAGE_TIMEOUT: 'ceiling of the fetching, retries included; 0: none',
  PACKAGE_IDLE_TIMEOUT: 'an attempt ends when nothing comes for so long; 0: never',
  PACKAGE_RETRIES: 'attempts after the first: network errors, 5xx, 408 and 429',
} as const;

/** What is read from the environment beside the options' own variables; `supervise help environment` is drawn from it. */
export const VARIABLES: Readonly<Record<string, string>> = {
  SUPERVISE_SCANDIR: 'the services directory, where none is named',
  SUPERVISE_RUNTIME_DIR: 'where the control socket is: supervise help control',
  XDG_RUNTIME_DIR: 'the same, where the first places will not do',
  TMPDIR: 'the temp directory, the last of those places',
  CONSUL_HTTP_ADDR: 'Consul: host:port, http(s)://… or unix://…',
  CONSUL: 'the same, host:port',
  CONSUL_HTTP_TOKEN: 'its ACL token',
  CONSUL_HTTP_TOKEN_FILE: 'a file with it, read again when it changes',
  CONSUL_HTTP_AUTH: 'user:password, for basic authentication',
  CONSUL_HTTP_SSL: 'true: https',
  CONSUL_HTTP_SSL_VERIFY: 'false: whoever it is',
  CONSUL_TLS_SERVER_NAME: 'the name in its certificate',
  CONSUL_CACERT: 'a file of certificates to trust; it and our own are read again when they change',
  CONSUL_CAPATH: 'a directory of them',
  CONSUL_CLIENT_CERT: 'our certificate',
  CONSUL_CLIENT_KEY: 'and its key',
  CONSUL_NAMESPACE: 'where nothing else is said',
  CONSUL_PARTITION: 'where nothing else is said',
  SUPERVISE_MAX_STALE:
    'any server may answer that has heard from the leader within this time; unset: the leader alone',
  NO_COLOR: 'set: no colours in --diff',
  ...PACKAGE_VARIABLES,
};
