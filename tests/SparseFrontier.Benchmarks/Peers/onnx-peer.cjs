// ONNX Runtime behind a line protocol, for SparseFrontier.Benchmarks: one JSON request a line in, one JSON answer a line out.
//   {"op":"version"}                                                        -> {"version"}
//   {"op":"matmul","rows","outputs","inputs","threads"}                     -> {"session"}
//   {"op":"attention","queryHeads","kvHeads","length","dimension","threads"} -> {"session"}
//   {"op":"run","session","calls"}                                          -> {"seconds"}
'use strict';
const ort = require('onnxruntime-node');
const readline = require('node:readline');

// Protocol buffers, as far as a model of one node needs them.
const varint = (value) => {
  const bytes = [];
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
  return Buffer.from([...bytes, value]);
};
const integer = (field, value) => Buffer.concat([varint(field * 8), varint(value)]);
const bytes = (field, data) => Buffer.concat([varint(field * 8 + 2), varint(data.length), data]);
const text = (field, value) => bytes(field, Buffer.from(value));
const message = (field, ...parts) => bytes(field, Buffer.concat(parts));

const FLOAT = 1, INT32 = 6, INT_ATTRIBUTE = 2;
const valueInfo = (field, name, type, shape) =>
  message(field, text(1, name), message(2, message(1, integer(1, type), message(2, ...shape.map((d) => message(1, integer(1, d)))))));
const attribute = (name, value) => message(5, text(1, name), integer(3, value), integer(20, INT_ATTRIBUTE));
const node = (type, domain, inputs, outputs, ...attributes) =>
  message(1, ...inputs.map((i) => text(1, i)), ...outputs.map((o) => text(2, o)), text(4, type), ...(domain ? [text(7, domain)] : []), ...attributes);
const constant = (name, shape, data) =>
  message(5, ...shape.map((d) => integer(1, d)), integer(2, FLOAT), text(8, name), bytes(9, Buffer.from(data.buffer, data.byteOffset, data.byteLength)));
const model = (...graph) =>
  Buffer.concat([integer(1, 8), message(7, text(2, 'g'), ...graph), message(8, integer(2, 17)), message(8, text(1, 'com.microsoft'), integer(2, 1))]);

const random = (length) => {
  const data = new Float32Array(length);
  for (let i = 0; i < length; i++) data[i] = Math.random() * 2 - 1;
  return data;
};
const tensor = (shape) => new ort.Tensor('float32', random(shape.reduce((a, b) => a * b, 1)), shape);

const sessions = [];
async function load(data, feeds, threads) {
  const session = await ort.InferenceSession.create(data, { intraOpNumThreads: threads, interOpNumThreads: 1, executionMode: 'sequential' });
  return { session: sessions.push({ session, feeds }) - 1 };
}

const operations = {
  version: async () => ({ version: require('onnxruntime-node/package.json').version }),
  matmul: ({ rows, outputs, inputs, threads }) =>
    load(
      model(
        node('MatMul', '', ['x', 'w'], ['y']),
        constant('w', [inputs, outputs], random(inputs * outputs)),
        valueInfo(11, 'x', FLOAT, [rows, inputs]),
        valueInfo(12, 'y', FLOAT, [rows, outputs])),
      { x: tensor([rows, inputs]) },
      threads),
  attention: ({ queryHeads, kvHeads, length, dimension, threads }) => {
    const q = [1, length, queryHeads * dimension], kv = [1, length, kvHeads * dimension];
    const past = [1, kvHeads, 0, dimension], present = [1, kvHeads, length, dimension];
    return load(
      model(
        node('GroupQueryAttention', 'com.microsoft', ['q', 'k', 'v', 'pk', 'pv', 'last', 'total'], ['y', 'ok', 'ov'],
          attribute('num_heads', queryHeads), attribute('kv_num_heads', kvHeads)),
        valueInfo(11, 'q', FLOAT, q), valueInfo(11, 'k', FLOAT, kv), valueInfo(11, 'v', FLOAT, kv),
        valueInfo(11, 'pk', FLOAT, past), valueInfo(11, 'pv', FLOAT, past), valueInfo(11, 'last', INT32, [1]), valueInfo(11, 'total', INT32, [1]),
        valueInfo(12, 'y', FLOAT, q), valueInfo(12, 'ok', FLOAT, present), valueInfo(12, 'ov', FLOAT, present)),
      {
        q: tensor(q), k: tensor(kv), v: tensor(kv), pk: tensor(past), pv: tensor(past),
        last: new ort.Tensor('int32', Int32Array.of(length - 1), [1]), total: new ort.Tensor('int32', Int32Array.of(length), [1]),
      },
      threads);
  },
  run: async ({ session, calls }) => {
    const { session: loaded, feeds } = sessions[session];
    const start = process.hrtime.bigint();
    for (let i = 0; i < calls; i++) await loaded.run(feeds);
    return { seconds: Number(process.hrtime.bigint() - start) * 1e-9 };
  },
};

readline.createInterface({ input: process.stdin }).on('line', async (line) => {
  let answer;
  try {
    const request = JSON.parse(line);
    answer = await operations[request.op](request);
  } catch (error) {
    answer = { error: String(error) };
  }

  process.stdout.write(JSON.stringify(answer) + '\n');
});
