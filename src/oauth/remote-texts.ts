// The texts with which the management API has always named failed steps, with the cause behind them (auth.md §5.6).
import type { LoginStep } from './errors.ts';
import { LoginError } from './flow.ts';

export type RemoteTexts = Partial<Record<LoginStep, string>>;

/** Runs `work`; a `LoginError` comes out with the provider's text for its step in front. */
export async function withRemoteTexts<T>(texts: RemoteTexts, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof LoginError)) throw error;
    const text = texts[error.code as LoginStep] ?? texts.login_failed;
    if (text === undefined) throw error;
    throw new LoginError(`${text}: ${error.message}`, { code: error.code, exit: error.exit, cause: error });
  }
}
