/** The log: one line an event, on standard error, as text for people or JSON for machines. Never a secret in it. */
import type { Clock } from './clock.js';

/** How much is said, from the least to the most. */
export const logLevels = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof logLevels)[number];
export type LogFormat = 'text' | 'json';

/** What goes with a message. Values are ids, addresses, counts, durations: never keys, secrets or file contents. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Logger {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
}

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  readonly clock: Clock;
  /** Takes one finished line, without its line end. */
  readonly write: (line: string) => void;
}

/** A logger that writes lines. */
export function createLogger(options: LogOptions): Logger {
  const most = logLevels.indexOf(options.level);
  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      if (logLevels.indexOf(level) > most) return;
      const time = new Date(options.clock.nowMs()).toISOString();
      options.write(
        options.format === 'json'
          ? asJson({ time, level, message, ...fields })
          : `${time} ${level.padEnd(5)} ${oneLine(message)}${asText(fields)}`,
      );
    };
  return { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') };
}

/** A logger that says nothing. */
export const silentLogger: Logger = {
  error: () => undefined,
  warn: () => undefined,
  info: () => undefined,
  debug: () => undefined,
};

/** JSON leaves control characters beyond ASCII as they are; a terminal obeys some of them. */
function asJson(line: object): string {
  return JSON.stringify(line).replace(
    /\p{Cc}/gu,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function asText(fields: LogFields): string {
  let text = '';
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    const shown = oneLine(String(value));
    text += ` ${key}=${/[\s"=]/.test(shown) || shown === '' ? JSON.stringify(shown) : shown}`;
  }
  return text;
}

/** Text from elsewhere must not start a line of its own, nor move the reader's cursor. */
function oneLine(text: string): string {
  return text.replace(/\p{Cc}/gu, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
