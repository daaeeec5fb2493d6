"""Training: `loop` opens with one step of it; `run`, `checkpoint` and the rest serve long ones."""

from nnscratch.training.checkpoint import (
    DamagedCheckpointError,
    load_checkpoint,
    save_checkpoint,
)
from nnscratch.training.checks import Loss
from nnscratch.training.loop import Array, Data, evaluate, fit, predict, train_step
from nnscratch.training.run import History

__all__ = [
    "Array",
    "DamagedCheckpointError",
    "Data",
    "History",
    "Loss",
    "evaluate",
    "fit",
    "load_checkpoint",
    "predict",
    "save_checkpoint",
    "train_step",
]
