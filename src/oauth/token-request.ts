// One call of a login to its provider: our own User-Agent, the login's proxy and time limit, errors with their step.
import type { HttpOptions, HttpResponse } from '../net/http.ts';
import type { JsonObject } from '../protocols/neutral.ts';
import { userAgent } from '../version.ts';
import { answerError, type LoginStep, loginError, transportError } from './errors.ts';
import type { RemoteContext } from './flow.ts';

export type CallContext = Pick<RemoteContext, 'config' | 'http'> & { signal?: AbortSignal };

export interface LoginCall extends HttpOptions {
  /** Step that fails when the call does. */
  step: LoginStep;
  /** Starts the error message: `iflow token`. */
  prefix: string;
}

/** Any HTTP answer; rejects with `LoginError` when none came. */
export async function send(context: CallContext, url: string, call: LoginCall): Promise<HttpResponse> {
  const { step, prefix, ...options } = call;
  const headers = { accept: 'application/json', 'user-agent': userAgent, ...options.headers };
  try {
    const signal = context.signal === undefined ? {} : { signal: context.signal };
    return await context.http.request(url, { ...options, ...signal, headers });
  } catch (error) {
    if (context.signal?.aborted) throw loginError('aborted', 'cancelled', error);
    throw transportError(step, prefix, error, context.config);
  }
}

/** The JSON object of a 2xx answer; rejects with `LoginError` for anything else. */
export async function sendForJson(context: CallContext, url: string, call: LoginCall): Promise<JsonObject> {
  const response = await send(context, url, call);
  if (response.status < 200 || response.status > 299 || response.json === undefined) {
    throw answerError(call.step, call.prefix, response, context.config);
  }
  return response.json;
}
