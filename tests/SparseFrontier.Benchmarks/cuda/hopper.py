"""Compiles and launches the engine's Hopper kernels on PyTorch tensors: NVRTC and the CUDA driver by ctypes, nothing else.

The argument layout of prefill_hopper.cu is in prefill_hopper_producer.cuh (struct Arguments); this is the smallest program that drives it."""
import ctypes
import glob
import hashlib
import os
import re
import sys

import torch

KERNELS = os.path.join(os.path.dirname(os.path.abspath(__file__)), *[os.pardir] * 3, "src", "SparseFrontier.Engine", "Kernels", "Cuda", "Kernels")

# What each module is compiled with; BLOCKS_PER_SM (thread blocks that fit a multiprocessor) only sizes the grid. 128 rows: two consumer warpgroups share every tile of a list with blocks of 128 keys.
# 64 rows: one consumer warpgroup, two thread blocks on a multiprocessor, lists with blocks of 64 keys and gathered columns.
# 192 rows: three consumers, for dense attention of 64 dimensions, where the exponentials and not the products fill the time.
CONFIGS = {
    "d128-128": dict(HEAD_DIM=128, ROWS=128, BLOCK=128, KEYS=128, SLOTS=5, QUERY_STAGES=2, QUERY_IN_REGISTERS=1, COLUMNS=0, BLOCKS_PER_SM=1),
    "d64-128": dict(HEAD_DIM=64, ROWS=128, BLOCK=128, KEYS=128, SLOTS=8, QUERY_STAGES=2, QUERY_IN_REGISTERS=1, COLUMNS=0, BLOCKS_PER_SM=1),
    "d64-dense": dict(HEAD_DIM=64, ROWS=192, BLOCK=128, KEYS=128, SLOTS=8, QUERY_STAGES=2, QUERY_IN_REGISTERS=0, COLUMNS=0, BLOCKS_PER_SM=1),
    "d256-128": dict(HEAD_DIM=256, ROWS=128, BLOCK=128, KEYS=64, SLOTS=5, QUERY_STAGES=1, QUERY_IN_REGISTERS=0, COLUMNS=0, BLOCKS_PER_SM=1),
    "d128-64": dict(HEAD_DIM=128, ROWS=64, BLOCK=64, KEYS=64, SLOTS=6, QUERY_STAGES=1, QUERY_IN_REGISTERS=1, COLUMNS=0, BLOCKS_PER_SM=2),
    "d64-64": dict(HEAD_DIM=64, ROWS=64, BLOCK=64, KEYS=64, SLOTS=10, QUERY_STAGES=2, QUERY_IN_REGISTERS=1, COLUMNS=0, BLOCKS_PER_SM=2),
    "d256-64": dict(HEAD_DIM=256, ROWS=64, BLOCK=64, KEYS=64, SLOTS=5, QUERY_STAGES=1, QUERY_IN_REGISTERS=0, COLUMNS=0, BLOCKS_PER_SM=1),
    "d128-columns": dict(HEAD_DIM=128, ROWS=64, BLOCK=64, KEYS=64, SLOTS=6, QUERY_STAGES=1, QUERY_IN_REGISTERS=1, COLUMNS=1, BLOCKS_PER_SM=2),
    "d64-columns": dict(HEAD_DIM=64, ROWS=64, BLOCK=64, KEYS=64, SLOTS=10, QUERY_STAGES=2, QUERY_IN_REGISTERS=1, COLUMNS=1, BLOCKS_PER_SM=2),
    "d256-columns": dict(HEAD_DIM=256, ROWS=64, BLOCK=64, KEYS=64, SLOTS=5, QUERY_STAGES=1, QUERY_IN_REGISTERS=0, COLUMNS=1, BLOCKS_PER_SM=1),
}


class Arguments(ctypes.Structure):
    _fields_ = [("maps", ctypes.c_ubyte * 384)] + [(n, ctypes.c_uint64) for n in (
        "output", "log_sum_exp", "row_lists", "block_starts", "columns", "keys", "values", "scheduler", "counters")] + [(n, ctypes.c_int64) for n in (
        "output_batch", "output_head", "output_row", "key_batch", "key_head", "key_row")] + [(n, ctypes.c_int32) for n in (
        "batch", "heads", "kv_heads", "query_length", "key_length", "query_offset", "head_dim")] + [("scale_log2", ctypes.c_float), ("window", ctypes.c_int32), ("unused", ctypes.c_ubyte * 36)]


assert ctypes.sizeof(Arguments) == 576

_nvrtc = None


def nvrtc():
    global _nvrtc
    if _nvrtc is None:
        candidates = ["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"]
        for root in [os.path.dirname(os.path.dirname(torch.__file__))] + sys.path:
            candidates += sorted(glob.glob(os.path.join(root, "nvidia", "*", "lib", "libnvrtc.so.*")))
        candidates += sorted(glob.glob("/usr/local/cuda*/lib64/libnvrtc.so*"))
        for name in candidates:
            try:
                _nvrtc = ctypes.CDLL(name)
                break
            except OSError:
                pass
        if _nvrtc is None:
            raise RuntimeError("libnvrtc was not found in the loader's path, in PyTorch's packages or in /usr/local/cuda*")
    return _nvrtc


def driver():
    return ctypes.CDLL("libcuda.so.1")


def check(code, what):
    if code != 0:
        name = ctypes.c_char_p()
        driver().cuGetErrorName(code, ctypes.byref(name))
        raise RuntimeError(f"{what}: {code} {name.value}")


def compile_kernel(options, source_name="prefill_hopper.cu"):
    """Compiles the kernel for sm_90a; returns (cubin, log). options: macro name -> value."""
    def read(name):
        with open(os.path.join(KERNELS, name), "rb") as file:
            return file.read()

    source, headers, open_texts = read(source_name), {}, []
    open_texts.append(source)
    while open_texts:
        for name in re.findall(rb'^#include "([^"]+)"', open_texts.pop(), re.M):
            if name not in headers:
                headers[name] = read(name.decode())
                open_texts.append(headers[name])
    flags = [b"--gpu-architecture=sm_90a", b"--std=c++17", b"-default-device", b"--ptxas-options=-v", b"-lineinfo"]
    flags += [f"-D{k}={v}".encode() for k, v in options.items() if k != "BLOCKS_PER_SM"]
    key = hashlib.sha256(b"\0".join([source, *headers.values(), *flags])).hexdigest()[:16]
    cache = os.path.join("/tmp", "sparsefrontier-kernels", key)
    if os.path.exists(cache + ".cubin"):
        return open(cache + ".cubin", "rb").read(), open(cache + ".log").read()
    n = nvrtc()
    program = ctypes.c_void_p()
    texts, names = (ctypes.c_char_p * len(headers))(*headers.values()), (ctypes.c_char_p * len(headers))(*headers)
    if n.nvrtcCreateProgram(ctypes.byref(program), source, source_name.encode(), len(headers), texts, names) != 0:
        raise RuntimeError("nvrtcCreateProgram failed")
    code = n.nvrtcCompileProgram(program, len(flags), (ctypes.c_char_p * len(flags))(*flags))
    size = ctypes.c_size_t()
    n.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    n.nvrtcGetProgramLog(program, log)
    text = log.value.decode()
    if code != 0:
        raise RuntimeError("NVRTC: " + text)
    n.nvrtcGetCUBINSize(program, ctypes.byref(size))
    cubin = ctypes.create_string_buffer(size.value)
    n.nvrtcGetCUBIN(program, cubin)
    n.nvrtcDestroyProgram(ctypes.byref(program))
    os.makedirs(os.path.dirname(cache), exist_ok=True)
    with open(cache + ".log", "w") as file:
        file.write(text)
    with open(cache + ".tmp" + str(os.getpid()), "wb") as file:
        file.write(cubin.raw)
    os.rename(file.name, cache + ".cubin")
    return cubin.raw, text


def tensor_map(tensor, box_rows):
    """A 4-d map over [batch, head, row, dim] of any strides (dim contiguous), 64 dimensions x box_rows a copy, 128-byte swizzle."""
    assert tensor.stride(3) == 1
    kind = {torch.bfloat16: 9, torch.float16: 6}[tensor.dtype]
    raw = ctypes.create_string_buffer(192)
    address = (ctypes.addressof(raw) + 63) & ~63
    b, h, n, d = tensor.shape
    dims = (ctypes.c_uint64 * 4)(d, n, h, b)
    strides = (ctypes.c_uint64 * 3)(tensor.stride(2) * 2, tensor.stride(1) * 2, tensor.stride(0) * 2)
    box = (ctypes.c_uint32 * 4)(64, box_rows, 1, 1)
    ones = (ctypes.c_uint32 * 4)(1, 1, 1, 1)
    check(driver().cuTensorMapEncodeTiled(ctypes.c_void_p(address), kind, 4, ctypes.c_void_p(tensor.data_ptr()), dims, strides, box, ones, 0, 3, 3, 0), "cuTensorMapEncodeTiled")
    return ctypes.string_at(address, 128)


def load(cubin, name):
    torch.zeros(1, device="cuda")       # PyTorch makes the context
    module, function = ctypes.c_void_p(), ctypes.c_void_p()
    check(driver().cuModuleLoadData(ctypes.byref(module), cubin), "cuModuleLoadData")
    check(driver().cuModuleGetFunction(ctypes.byref(function), module, name), "cuModuleGetFunction")
    return function


class VerticalSlashLists:
    """vertical_slash_lists.cu: from verticals and slashes (int32 [heads, n], ascending, filled with -1) to (row_lists, starts, columns)."""

    def __init__(self):
        self.function = load(compile_kernel({}, "vertical_slash_lists.cu")[0], b"vertical_slash_lists")

    def prepare(self, verticals, slashes, row_blocks, first_position, key_length):
        heads, v, s = verticals.shape[0], verticals.shape[1], slashes.shape[1]
        room = min(s, (first_position + 63) // 64 + row_blocks)
        lists = tuple(torch.empty(shape, dtype=torch.int32, device="cuda") for shape in ((heads * row_blocks, 8), (heads * row_blocks * room,), (heads * row_blocks * v,)))
        values = [ctypes.c_uint64(t.data_ptr()) for t in (verticals, slashes, *lists)] + [ctypes.c_int32(x) for x in (heads, v, s, row_blocks, first_position, key_length, room)]
        parameters = (ctypes.c_void_p * len(values))(*(ctypes.addressof(x) for x in values))
        keep, shared = (values, verticals, slashes, lists), (first_position + row_blocks * 64 + 1023) // 1024 * 64

        def launch():
            keep
            stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)
            check(driver().cuLaunchKernel(self.function, (heads * row_blocks + 3) // 4, 1, 1, 128, 1, 1, shared, stream, parameters, None), "cuLaunchKernel")

        return launch, lists


class Kernel:
    def __init__(self, options, dtype=torch.bfloat16):
        self.options = dict(options, HALF=int(dtype == torch.float16))
        cubin, self.log = compile_kernel(self.options)
        self.function = load(cubin, b"prefill_hopper")
        o = self.options
        self.shared = o["QUERY_STAGES"] * o["ROWS"] * o["HEAD_DIM"] * 2 + o["SLOTS"] * o["KEYS"] * o["HEAD_DIM"] * 2 + 512
        check(driver().cuFuncSetAttribute(self.function, 8, self.shared), "cuFuncSetAttribute")
        self.scheduler = torch.zeros(2, dtype=torch.int32, device="cuda")
        self.counters = torch.zeros(4, dtype=torch.int64, device="cuda")
        self.processors = torch.cuda.get_device_properties(0).multi_processor_count

    def prepare(self, q, k, v, out, lse=None, lists=None, offset=0, scale=None, window=0, count=True, most_blocks=1 << 30):
        """Returns a function that launches on the current stream. q, out [B, H, N, d]; k, v [B, Hk, M, d]; lists: (row_lists, starts, columns)."""
        o = self.options
        rows = o["ROWS"]
        a = Arguments()
        box = min(o["BLOCK"], o["KEYS"])
        maps = tensor_map(q, rows) + tensor_map(k, box) + tensor_map(v, box)
        ctypes.memmove(a.maps, maps, 384)
        a.output, a.log_sum_exp = out.data_ptr(), lse.data_ptr() if lse is not None else 0
        if lists is not None:
            a.row_lists, a.block_starts, a.columns = (t.data_ptr() for t in lists)
        a.keys, a.values = k.data_ptr(), v.data_ptr()
        a.scheduler, a.counters = self.scheduler.data_ptr(), self.counters.data_ptr() if count else 0
        a.output_batch, a.output_head, a.output_row = out.stride(0), out.stride(1), out.stride(2)
        a.key_batch, a.key_head, a.key_row = k.stride(0), k.stride(1), k.stride(2)
        assert k.stride() == v.stride()
        a.batch, a.heads, a.query_length, a.head_dim = q.shape
        a.kv_heads, a.key_length, a.query_offset = k.shape[1], k.shape[2], offset
        a.scale_log2 = (q.shape[3] ** -0.5 if scale is None else scale) * 1.4426950408889634
        a.window = window
        items = a.batch * a.heads * ((a.query_length + rows - 1) // rows)
        grid = min(items, self.processors * o["BLOCKS_PER_SM"], most_blocks)
        threads = 128 * (rows // 64 + 1 + (rows == 64 and o["HEAD_DIM"] == 256))
        parameters = (ctypes.c_void_p * 1)(ctypes.addressof(a))
        keep = (a, q, k, v, out, lse, lists)
        launch_kernel = driver().cuLaunchKernel

        def launch():
            keep
            check(launch_kernel(self.function, grid, 1, 1, threads, 1, 1, self.shared, ctypes.c_void_p(torch.cuda.current_stream().cuda_stream), parameters, None), "cuLaunchKernel")

        return launch


def lists_of(rows, block, blocks, columns, query_length, key_length, offset):
    """Device lists from Python ones: blocks[item] = starts, columns[item] = keys, items in the order batch, head, row block."""
    per_head = (query_length + rows - 1) // rows
    heads, starts, ids = [], [], []
    for item, own in enumerate(blocks):
        first = offset + item % per_head * rows
        masked = [s for s in own if s + block - 1 > first or s + block > key_length]
        full = [s for s in own if s not in masked]
        heads.append([len(starts), len(masked), len(full), len(ids), len(columns[item]), 0, 0, 0])
        starts += masked + full
        ids += columns[item]
    as_int = lambda x: torch.tensor(x if len(x) else [0], dtype=torch.int32, device="cuda")
    return as_int(heads), as_int(starts), as_int(ids)


def lists_of_mask(mask, block):
    """Lists of a block mask [heads, row blocks, key blocks] with true diagonal: the diagonal masked, the others full, ascending."""
    heads, rows, _ = mask.shape
    off = mask & ~torch.eye(rows, dtype=torch.bool, device=mask.device)
    counts = off.sum(-1)
    with_diagonal = torch.cat([torch.ones(heads, rows, 1, dtype=torch.bool, device=mask.device), off], -1)
    index = with_diagonal.nonzero()
    starts = torch.where(index[:, 2] == 0, index[:, 1], index[:, 2] - 1).to(torch.int32) * block
    totals = (counts + 1).flatten()
    begin = torch.cumsum(totals, 0) - totals
    table = torch.zeros(heads * rows, 8, dtype=torch.int32, device=mask.device)
    table[:, 0], table[:, 1], table[:, 2] = begin, 1, counts.flatten()
    return table, starts.contiguous(), torch.zeros(1, dtype=torch.int32, device=mask.device)
