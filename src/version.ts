/** What we call ourselves everywhere: banner, `-version`, `User-Agent` upstream. Never another product's name. */
export const version = process.env.CLIPROXY_BUILD_VERSION ?? '0.0.0-dev';
export const commit = process.env.CLIPROXY_BUILD_COMMIT ?? 'none';
export const buildDate = process.env.CLIPROXY_BUILD_DATE ?? 'unknown';
export const userAgent = `cliproxy/${version}`;
