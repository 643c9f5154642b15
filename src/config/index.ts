// Configuration: one schema, loaded, edited in place, watched.
/** The effective configuration: the file's own key names, every default filled in. An immutable snapshot. */
export interface Config {
  readonly endpoints?: Readonly<Record<string, Readonly<Record<string, string>> | undefined>>;
  readonly 'oauth-clients'?: Readonly<
    Record<string, { readonly 'client-id'?: string; readonly 'client-secret'?: string } | undefined>
  >;
  readonly 'api-keys': readonly string[];
  readonly [key: string]: unknown;
}
