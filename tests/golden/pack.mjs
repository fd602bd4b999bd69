// Packs golden tensors to a fraction of their size: node pack.mjs FILE.safetensors... writes FILE.safetensors.planes.br beside each.
//
// Every fourth byte goes beside the one four before it, so that signs and exponents lie together, and all is compressed: nothing is lost. Before that, tensors named "logits" are rounded to
// multiples of 2^-13, which changes them by 6e-5 at most; they are compared to 2e-3. tests/SparseFrontier.Tests/Fixtures.cs unpacks.
import { readFileSync, writeFileSync } from "node:fs";
import { brotliCompressSync, constants } from "node:zlib";

const step = 2 ** -13;
for (const path of process.argv.slice(2)) {
    const content = readFileSync(path);
    const first = 8 + Number(content.readBigUInt64LE());
    const logits = JSON.parse(content.subarray(8, first)).logits;
    for (let at = first + (logits?.data_offsets[0] ?? 0); logits && at < first + logits.data_offsets[1]; at += 4) {
        content.writeFloatLE(Math.round(content.readFloatLE(at) / step) * step, at);
    }

    const count = Math.ceil(content.length / 4);
    const planes = Buffer.alloc(8 + 4 * count);
    planes.writeBigUInt64LE(BigInt(content.length));
    content.forEach((byte, i) => { planes[8 + (i % 4) * count + (i >> 2)] = byte; });
    writeFileSync(`${path}.planes.br`, brotliCompressSync(planes, { params: { [constants.BROTLI_PARAM_LGWIN]: 22 } }));
}
