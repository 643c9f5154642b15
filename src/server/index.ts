// The server: client routes, management, and the running program around them.
export { type ServeOptions, serve } from './serve.ts';
