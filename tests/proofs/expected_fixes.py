"""What the fix of each rule makes of the bad program of its proof, written by hand: (old, new) texts, each once."""

from __future__ import annotations

EXPECTED_FIXES: dict[str, tuple[tuple[str, str], ...]] = {
    "CKP101": (("torch.save(model, ", "torch.save(model.state_dict(), "),),
    "CKP102": (("model.state_dict,", "model.state_dict(),"),),
    "CKP103": (("model.state_dict()", "model.module.state_dict()"),),
    "CKP106": (
        ("import torch\n", "import copy\n\nimport torch\n"),
        ("best = model.state_dict()", "best = copy.deepcopy(model.state_dict())"),
    ),
    "CKP108": ((", _use_new_zipfile_serialization=False", ""),),
    "CKP110": (('"args": args}', '"args": vars(args)}'),),
    "CKP111": (("list(model.parameters())", "model.state_dict()"),),
    "CKP112": (("table[:10],", "table[:10].clone(),"),),
    "CKP114": ((", pickle_protocol=4", ""),),
    "CKP201": (('"epoch": epoch}', '"epoch": epoch, "optimizer": optimizer.state_dict()}'),),
    "CKP202": (('"epoch": epoch}', '"epoch": epoch, "scheduler": scheduler.state_dict()}'),),
    "CKP203": (('"epoch": epoch}', '"epoch": epoch, "scaler": scaler.state_dict()}'),),
    "CKP204": (("optimizer.state_dict()}", 'optimizer.state_dict(), "epoch": epoch}'),),
    "CKP206": (
        (
            '"epoch": epoch}',
            '"epoch": epoch, "torch_version": str(torch.__version__), "cuda_version": torch.version.cuda}',
        ),
    ),
    "CKP207": (('"epoch": epoch}', '"epoch": epoch, "ema": ema.state_dict()}'),),
    "CKP210": (('"epoch": epoch}', '"epoch": epoch, "best_loss": best_loss}'),),
    "CKP301": (("weights_only=True)", 'weights_only=True, map_location="cpu")'),),
    "CKP302": (
        ('torch.load(path, map_location="cpu")', 'torch.load(path, map_location="cpu", weights_only=True)'),
        ('model_dir="cache")', 'model_dir="cache", weights_only=True)'),
    ),
    "CKP303": (("weights_only=False", "weights_only=True"),),
    "CKP306": (('"cuda:0"', '"cpu"'),),
    "CKP308": (("weights_only=True)", "weights_only=True, check_hash=True)"),),
    "CKP309": (("weights_only=True)", "weights_only=True, mmap=True)"),),
    "CKP401": (("model = model.load_state_dict", "model.load_state_dict"),),
    "CKP402": (('("weights.pt")', '(torch.load("weights.pt", map_location="cpu", weights_only=True))'),),
    "CKP404": (("lstrip", "removeprefix"),),
    "CKP405": (("with torch.no_grad", "model.eval()\nwith torch.no_grad"),),
    "CKP409": (('["optimzer"]', '["optimizer"]'),),
    "CKP414": (("for key in state:", "for key in list(state):"),),
}


def expected_fix(code: str, bad: str) -> str:
    """The bad program with the expected fix; AssertionError where the table does not fit the program."""
    for old, new in EXPECTED_FIXES[code]:
        assert bad.count(old) == 1, f"{code}: {old!r} stands {bad.count(old)} times in the program"
        bad = bad.replace(old, new)
    return bad
