"""Files that are no checkpoint, told by their first bytes: what each one is, and what to do about it."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LFS = (b"version https://git-lfs.github.com/spec/", b"version https://hawser.github.com/spec/")


@dataclass(frozen=True, slots=True)
class Foreign:
    """A kind of file, in a word and in a sentence with the advice."""

    kind: str
    title: str
    advice: str


_MAGIC: tuple[tuple[bytes, str, str, str], ...] = (
    (b"\x1f\x8b", "gzip", "a gzip archive", "unpack it first (gunzip, or tar xzf)"),
    (b"BZh", "bzip2", "a bzip2 archive", "unpack it first (bunzip2)"),
    (b"\xfd7zXZ\x00", "xz", "an xz archive", "unpack it first (unxz)"),
    (b"7z\xbc\xaf\x27\x1c", "7z", "a 7z archive", "unpack it first (7z x)"),
    (b"Rar!\x1a\x07", "rar", "a rar archive", "unpack it first"),
    (b"\x28\xb5\x2f\xfd", "zstd", "a zstd archive", "unpack it first (unzstd)"),
    (b"\x04\x22\x4d\x18", "lz4", "an lz4 archive", "unpack it first (unlz4)"),
    (b"\x89HDF\r\n\x1a\n", "hdf5", "an HDF5 file (Keras, h5py)", "torch does not read it: convert it"),
    (b"GGUF", "gguf", "a GGUF file (llama.cpp)", "torch does not read it: use the gguf package"),
    (b"\x89PNG\r\n\x1a\n", "png", "a PNG image", "the name or the path is wrong"),
    (b"\xff\xd8\xff", "jpeg", "a JPEG image", "the name or the path is wrong"),
    (b"GIF8", "gif", "a GIF image", "the name or the path is wrong"),
    (b"%PDF", "pdf", "a PDF document", "the name or the path is wrong"),
    (b"\x7fELF", "elf", "a program or shared library (ELF)", "do not load it"),
    (b"MZ", "pe", "a Windows program (PE)", "do not load it"),
    (b"\xcf\xfa\xed\xfe", "macho", "a macOS program (Mach-O)", "do not load it"),
    (b"\xca\xfe\xba\xbe", "macho", "a macOS program or Java class", "do not load it"),
    (b"SQLite format 3\x00", "sqlite", "an SQLite database", "the name or the path is wrong"),
    (b"PAR1", "parquet", "a Parquet file", "the name or the path is wrong"),
    (b"ARROW1", "arrow", "an Arrow file", "the name or the path is wrong"),
    (b"RIFF", "riff", "a RIFF file (wav, webp)", "the name or the path is wrong"),
    (b"OggS", "ogg", "an Ogg file", "the name or the path is wrong"),
    (b"ID3", "mp3", "an MP3 file", "the name or the path is wrong"),
    (b"II*\x00", "tiff", "a TIFF image", "the name or the path is wrong"),
    (b"MM\x00*", "tiff", "a TIFF image", "the name or the path is wrong"),
    (b"FEA1", "feather", "a Feather file", "the name or the path is wrong"),
    (b"MATLAB 5.0 MAT-file", "mat", "a MATLAB file", "torch does not read it: use scipy.io.loadmat"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole", "an Office document", "the name or the path is wrong"),
    (b"\x00asm", "wasm", "a WebAssembly module", "the name or the path is wrong"),
    (b"MSCF", "cab", "a Windows cabinet", "unpack it first (cabextract)"),
    (b"\xff\x06\x00\x00sNaPpY", "snappy", "a snappy archive", "unpack it first"),
    (b"lmgg", "ggml", "a GGML file (whisper.cpp, old llama.cpp)", "torch does not read it"),
    (b"tjgg", "ggml", "a GGJT file (old llama.cpp)", "torch does not read it"),
    (b"!<arch>\n", "ar", "an ar archive", "the name or the path is wrong"),
)
_BOM = b"\xef\xbb\xbf"
_HDF5 = b"\x89HDF\r\n\x1a\n"
_FLATBUFFER = {b"TFL3": ("tflite", "a TensorFlow Lite model"), b"PTMF": ("ptl", "a PyTorch Mobile flatbuffer")}
_FLATBUFFER |= {b"ET12": ("executorch", "an ExecuTorch program"), b"ET13": ("executorch", "an ExecuTorch program")}


def recognise(head: bytes, size: int) -> Foreign | None:
    """What a file is by its first bytes, where it is something that no torch.load reads; None where that is open."""
    if size == 0:
        return Foreign("empty", "an empty file", "the save or the download failed: make it again")
    if head.removeprefix(_BOM).startswith(_LFS):
        return Foreign("lfs-pointer", "a git-lfs pointer, not the file itself", "run `git lfs pull`")
    for magic, kind, title, advice in _MAGIC:
        if head.startswith(magic):
            return Foreign(kind, title, advice)
    if head[512:520] == _HDF5:  # behind a block of the user's own
        return Foreign("hdf5", "an HDF5 file (Keras, MATLAB, h5py)", "torch does not read it: convert it")
    if head[4:8] == b"ftyp":
        return Foreign("mp4", "an MP4 video or another ISO media file", "the name or the path is wrong")
    if head[4:8] in _FLATBUFFER:
        kind, title = _FLATBUFFER[head[4:8]]
        return Foreign(kind, title, "torch.load does not read it")
    if head[:64].strip(b"\x00") == b"" and head.strip(b"\x00") == b"":
        return Foreign("zero-filled", "a file of zero bytes", "the disk was full or the copy failed: make it again")
    return None


def recognise_text(head: bytes) -> Foreign | None:
    """HTML, JSON, XML, scripts and other text; asked only after the pickle machine found no sense in it."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        head = head[: len(head) & ~1].decode("utf-16", "replace").encode("utf-8", "replace")
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:512].lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")) or (
        start.startswith(b"<") and b"<html" in head[:4096].lower()
    ):
        return Foreign("html", "an HTML page, perhaps an error page of a server", "the download failed: fetch it again")
    if start.startswith(b"outs:") and b"md5:" in start:
        return Foreign("dvc-pointer", "a DVC pointer, not the file itself", "run `dvc pull`")
    if b"/annex/objects/" in start:
        return Foreign("annex-pointer", "a git-annex pointer, not the file itself", "run `git annex get`")
    if start.startswith((b"<?xml", b"<error")):
        return Foreign("xml", "an XML document, perhaps a server's error", "the download failed: fetch it again")
    if b"\x00" in head[:4096] or not _is_text(head):
        return None
    if re.match(rb"[\[{]\s*([\"\]}{\[0-9-]|$)", start):
        return Foreign("json", "a JSON text", "it holds no weights: look for the file beside it")
    if start.startswith(b"#!"):
        return Foreign("script", "a script", "do not load it")
    return Foreign("text", "a text file", "the download failed, or the name is wrong: look at what it says")


def _is_text(head: bytes) -> bool:
    try:
        text = head[:4096].decode("utf-8", "ignore" if len(head) > 4090 else "strict")
    except UnicodeDecodeError:
        return False
    odd = sum(1 for letter in text if ord(letter) < 32 and letter not in "\t\r\n\f\x1b")
    return odd * 50 <= len(text)


def looks_like_onnx(head: bytes) -> bool:
    """A protobuf that begins as ONNX models do: field 1 (ir_version), then a producer name."""
    return len(head) > 8 and head[0] == 0x08 and head[1] < 0x20 and head[2] in (0x12, 0x1A, 0x3A)
