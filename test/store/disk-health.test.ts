import { expect } from 'chai';

import { limits } from '../../src/base/limits.js';
import { silentLogger } from '../../src/base/log.js';
import { DiskHealth } from '../../src/store/disk-health.js';
import { systemError } from './failing-disk.js';
import { HandClock } from './store.conformance.js';

const GiB = 1024 ** 3;

describe('the health of a disk', () => {
  let clock: HandClock;
  let lines: string[];
  let health: DiskHealth;

  function diskOf(capacityBytes: number | null): DiskHealth {
    const say = (level: string) => (message: string) => void lines.push(`${level} ${message.split(':')[0]}`);
    const log = { ...silentLogger, info: say('info'), warn: say('warn'), error: say('error') };
    return new DiskHealth(clock, log, capacityBytes);
  }

  const fail = (code: string, syscall: string, { path = 'a', sizeBytes = 0 } = {}): void =>
    health.failed({ error: systemError(code, syscall), path, sizeBytes });

  beforeEach(() => {
    clock = new HandClock();
    lines = [];
    health = diskOf(null);
  });

  it('is fine until something happens', () => {
    expect(health.status).to.deep.equal({
      state: 'fine',
      sinceMs: null,
      reason: null,
      advice: null,
      errors: 0,
    });
    health.wrote(1);
    fail('ENOENT', 'open');
    fail('EMFILE', 'open');
    fail('EACCES', 'open');
    expect(health.status.state).to.equal('fine');
    expect(lines).to.deep.equal([]);
  });

  for (const code of ['ENOSPC', 'EDQUOT']) {
    it(`is full after ${code}, until something as large as what was refused is written`, () => {
      fail(code, 'write', { sizeBytes: 1000 });
      const { sinceMs } = health.status;
      clock.ms += 1;
      fail(code, 'write', { sizeBytes: 500 });
      expect(health.status).to.include({ state: 'full', sinceMs });
      expect(health.status.reason).to.include(code);
      expect(health.trialBytes).to.equal(1000);
      health.wrote(999);
      expect(health.status.state).to.equal('full');
      expect(() => health.requireWritable('keep it')).not.to.throw();
      health.wrote(1000);
      expect(health.status.state).to.equal('fine');
      expect(health.trialBytes).to.equal(undefined);
      expect(lines).to.deep.equal(['warn the disk is full', 'info the disk is fine again']);
    });
  }

  it('has no room for what is no smaller than what it refused, until it has taken such a value', () => {
    fail('ENOSPC', 'write', { sizeBytes: 1000 });
    fail('ENOSPC', 'write', { sizeBytes: 500 });
    expect(() => health.requireRoom(499)).not.to.throw();
    expect(() => health.requireRoom(500)).to.throw(
      /no room for as little as 500 bytes .*make room on the disk/,
    );
    health.wrote(700);
    expect(() => health.requireRoom(700)).not.to.throw();
    expect(() => health.requireRoom(701)).to.throw(/no room/);
    health.wrote(1000);
    expect(() => health.requireRoom(100_000)).not.to.throw();
    // What needs no room of its own leaves none for anything.
    fail('ENOSPC', 'rename');
    expect(() => health.requireRoom(1)).to.throw(/no room/);
  });

  it('is read-only after EROFS, and takes nothing new until something was written', () => {
    fail('EROFS', 'open');
    expect(health.status.state).to.equal('read-only');
    expect(() => health.requireWritable('keep block 1')).to.throw(
      /cannot keep block 1: the disk is read-only .* mount it again/,
    );
    expect(health.trialBytes).to.equal(1);
    health.wrote(0);
    expect(health.status.state).to.equal('fine');
    health.requireWritable('keep block 1');
    expect(lines).to.deep.equal(['error the disk is read-only', 'info the disk is fine again']);
  });

  for (const call of ['fsync', 'fdatasync']) {
    it(`is failing for good after EIO on ${call}`, () => {
      fail('EIO', call, { sizeBytes: 10 });
      expect(health.status).to.include({ state: 'failing', sinceMs: clock.ms, errors: 1 });
      expect(health.status.advice).to.include('replace this disk');
      expect(health.isFailing).to.equal(true);
      expect(() => health.requireWritable('keep it')).to.throw(/replace this disk/);
      expect(health.trialBytes).to.equal(undefined);
      health.wrote(1000);
      clock.ms += 10 * limits.diskErrorsMs;
      expect(health.status).to.include({ state: 'failing', errors: 0 });
      expect(lines).to.deep.equal(['error the disk is failing']);
    });
  }

  it('is full, and not failing, when a sync finds no room', () => {
    fail('ENOSPC', 'fdatasync', { sizeBytes: 10 });
    expect(health.status.state).to.equal('full');
  });

  it('is failing when several files have had errors within a day, and not for one file or over months', () => {
    for (let time = 0; time < 10; time += 1) fail('EIO', 'read', { path: 'same' });
    expect(health.status).to.include({ state: 'fine', errors: 1 });
    for (let at = 0; at < 10; at += 1) {
      clock.ms += limits.diskErrorsMs / 2;
      fail('EIO', 'read', { path: `${at}` });
    }
    expect(health.status).to.include({ state: 'fine', errors: 2 });
    fail('EIO', 'write', { path: 'third' });
    expect(health.status).to.include({ state: 'failing', errors: 3 });
  });

  it('is nearly full when more than nine tenths of the capacity are taken', () => {
    health = diskOf(1000);
    health.holds(900);
    expect(health.status.state).to.equal('fine');
    health.holds(901);
    expect(health.status).to.deep.include({ state: 'nearly full', sinceMs: clock.ms });
    expect(health.status.reason).to.include('90% of the capacity');
    // To and fro at the bound is one change.
    health.holds(899);
    health.holds(901);
    expect(health.status.state).to.equal('nearly full');
    health.holds(850);
    expect(health.status.state).to.equal('fine');
    expect(lines).to.deep.equal(['warn the disk is nearly full', 'info the disk is fine again']);
  });

  it('is nearly full when little is left on the file system', () => {
    health.hasFree(GiB);
    expect(health.status.state).to.equal('fine');
    health.hasFree(GiB - 1);
    expect(health.status.state).to.equal('nearly full');
    health.hasFree(1.2 * GiB);
    expect(health.status.state).to.equal('nearly full');
    health.hasFree(1.5 * GiB);
    expect(health.status.state).to.equal('fine');
  });

  it('is full when the capacity has refused a value, until one of its size would fit', () => {
    health = diskOf(1000);
    health.holds(950);
    health.refused(100, 'it does not fit');
    expect(health.status).to.include({ state: 'full', reason: 'it does not fit' });
    expect(health.status.advice).to.include('--capacity');
    health.holds(901);
    expect(health.status.state).to.equal('full');
    health.holds(900);
    expect(health.status.state).to.equal('nearly full');
    expect(lines).to.deep.equal([
      'warn the disk is nearly full',
      'warn the disk is full',
      'info the disk has recovered; it is nearly full',
    ]);
  });

  it('says the worst of what it suffers from', () => {
    health.hasFree(0);
    fail('ENOSPC', 'write');
    fail('EROFS', 'open');
    fail('EIO', 'fsync');
    expect(health.status.state).to.equal('failing');
    expect(lines.at(-1)).to.equal('error the disk is failing');
  });
});
