/** libsodium, ready to be called. Everything that needs it imports it from here, after its WebAssembly is loaded. */
import sodium from 'libsodium-wrappers-sumo';

await sodium.ready;

export { sodium };
