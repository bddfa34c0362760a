"""Read recipes, cards and training runs that were stored when their fields had other names."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class KeyTable:
    """Maps the earlier keys of a stored record to the present ones.

    Arguments
        keys: present keys by earlier ones
        parts: tables of the records within the record, by their present key; `*` stands for every key
    """

    keys: Mapping[str, str] = field(default_factory=dict)
    parts: Mapping[str, "KeyTable"] = field(default_factory=dict)

    def to_present(self, stored: Any) -> Any:
        """Return a stored record, or each record of a list, with present keys. Other values are returned as they are.

        If a record has an earlier key and the present one, the present one counts.
        """
        if isinstance(stored, list):
            return [self.to_present(each) for each in stored]
        if not isinstance(stored, dict):
            return stored
        present = {self.keys[key]: value for key, value in stored.items() if key in self.keys}
        present |= {key: value for key, value in stored.items() if key not in self.keys}
        for key, value in present.items():
            if (part := self._part(key)) is not None:
                present[key] = part.to_present(value)
        return present

    def to_earlier(self, record: Any) -> Any:
        """Return a record, or each record of a list, as it was stored with the earlier keys, in the same order."""
        if isinstance(record, list | tuple):
            return [self.to_earlier(each) for each in record]
        if not isinstance(record, dict):
            return record
        earlier = {present: key for key, present in self.keys.items()}
        return {
            earlier.get(key, key): value if (part := self._part(key)) is None else part.to_earlier(value)
            for key, value in record.items()
        }

    def _part(self, key: str) -> "KeyTable | None":
        return self.parts.get(key, self.parts.get("*"))


MIX = KeyTable({"shares": "share_map"})
WORK = KeyTable(
    {
        "kind": "medium",
        "rate": "sample_rate",
        "heat": "temperature_map",
        "heard": "continued_samples",
        "curve": "temperature_curve",
        "until": "wavetable_end",
        "turns": "edits",
        "rewound": "redrawn",
        "came_from": "ancestors",
        "made": "created",
    },
    {
        "mix": MIX,
        "edits": KeyTable({"at": "sample"}),
        "redrawn": KeyTable({"imposed": "fixed_pixels"}),
    },
)
"""A recipe in a PNG, WAV or FLAC."""
CARD = KeyTable(
    {
        "makes": "subject",
        "kind": "medium",
        "smooth": "shown_smooth",
        "rate": "sample_rate",
        "learned_from": "training_data",
        "spread": "bits_quantiles",
        "paper": "paper_figure",
        "opening": "opening_temperature",
        "labels": "label_columns",
        "former": "former_hashes",
    }
)
"""The card in a model's file."""
TRAINING_CONFIG = KeyTable(
    {
        "makes": "subject",
        "learned_from": "training_data",
        "smooth": "shown_smooth",
        "rate": "sample_rate",
        "labels": "label_columns",
        "opening": "opening_temperature",
    },
    {
        "plan": KeyTable(
            {
                "rate": "learning_rate",
                "clip": "max_gradient_norm",
                "decay": "weight_decay",
                "average": "average_decay",
                "cut": "cut_samples",
                "flips": "mirror",
                "evaluate": "evaluate_every",
                "save_seconds": "save_every_seconds",
            }
        )
    },
)
"""The config of a training run, as `models/recipes/` and the folder of a run hold it."""
CHECKPOINT = KeyTable(
    {"study": "config"},
    {
        "config": TRAINING_CONFIG,
        "progress": KeyTable(
            {
                "best": "best_held_out",
                "bad_in_a_row": "failures_in_a_row",
                "data": "data_fingerprint",
                "curve": "loss_curve",
            }
        ),
    },
)
"""The state that a checkpoint holds beside its tensors."""
