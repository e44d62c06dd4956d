import { expect } from 'chai';

import { createLogger, type LogFormat, type LogLevel, logLevels } from '../../src/base/log.js';

const clock = { nowMs: () => 0, monotonicMs: () => 0, setTimer: () => ({ cancel: () => undefined }) };

function logged(
  level: LogLevel,
  format: LogFormat,
  say: (log: ReturnType<typeof createLogger>) => void,
): string[] {
  const lines: string[] = [];
  say(createLogger({ level, format, clock, write: (line) => lines.push(line) }));
  return lines;
}

describe('the log', () => {
  for (const [at, level] of logLevels.entries()) {
    it(`at ${level} says ${at + 1} of the ${logLevels.length} levels`, () => {
      const lines = logged(level, 'text', (log) => logLevels.forEach((one) => log[one](one)));
      expect(lines.map((line) => line.split(/\s+/)[1])).to.deep.equal(logLevels.slice(0, at + 1));
    });
  }

  it('writes time, level, message and fields as text', () => {
    expect(
      logged('info', 'text', (log) => log.info('a peer is gone', { peer: 'ab', why: 'no answer', n: 3 })),
    ).to.deep.equal(['1970-01-01T00:00:00.000Z info  a peer is gone peer=ab why="no answer" n=3']);
  });

  it('writes one JSON object a line', () => {
    const [line] = logged('info', 'json', (log) => log.warn('hello', { peer: 'ab', nothing: undefined }));
    expect(JSON.parse(line!)).to.deep.equal({
      time: '1970-01-01T00:00:00.000Z',
      level: 'warn',
      message: 'hello',
      peer: 'ab',
    });
  });

  it('never lets text from elsewhere begin a line or move the cursor', () => {
    for (const format of ['text', 'json'] as const) {
      const [line] = logged('info', format, (log) => log.info('a\nb\u001b[2J', { name: 'x\r\ny\u0085z' }));
      expect(line).to.not.match(/\p{Cc}/u);
    }
  });
});
