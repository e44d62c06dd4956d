/**
 * Whose fault it is that a copy could not be moved: its source's, or that of whoever was to have it. Taken for one another, a
 * single file that cannot be read would have all other copies kept from somebody who could take them.
 */
import { isFailure, PeerStoreError } from '../../base/errors.js';

/** A value could not be had from where it was to come: this says nothing of whom it was for. */
export class NotRead extends PeerStoreError {
  constructor(cause: PeerStoreError) {
    super(cause.code, cause.message, { cause });
  }
}

/** What reading it where it comes from gives. @throws NotRead, or what is no failure, as it is. */
export async function reading<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw isFailure(error) ? new NotRead(error) : error;
  }
}
