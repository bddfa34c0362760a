"""Reads settings, steps of undo and grids that were stored with earlier keys."""

from studio.library.earlier_keys import MIX, KeyTable


def _panel(keys: dict[str, str], parts: dict[str, KeyTable] | None = None) -> KeyTable:
    """Return the table of a panel, whose steps of undo have the keys of the panel itself."""
    keys = {"named": "take_names", "spent": "seed_used", **keys}
    step = KeyTable(keys, parts or {})
    return KeyTable(keys, {**step.parts, "history": KeyTable(parts={"done": step, "undone": step})})


SETTINGS = KeyTable(
    {"tone": "wave_synth", "surprise": "surprisal", "exporting": "export_settings", "layout": "preferences"},
    {
        "preferences": KeyTable(
            {
                "inspector": "inspector_width",
                "text": "text_size",
                "still": "reduced_motion",
                "letters": "single_keys",
            }
        ),
        "takes": KeyTable(parts={"starts": KeyTable(parts={"*": KeyTable({"figures": "round_trip"})})}),
        "export_settings": KeyTable({"sheet": "on_sheet"}),
        "generate": _panel(
            {"stage": "enlarged", "doubt": "uncertainty"},
            {"enlarged": KeyTable({"at": "item", "imposed": "fixed_pixels"})},
        ),
        "explore": _panel({"begun": "has_begun"}),
        "complete": _panel(
            {
                "heat": "temperature_map",
                "warmth": "temperature_factor",
                "painted": "batch_temperature_map",
                "doubt": "uncertainty",
            }
        ),
        "sound": _panel({"heat": "temperature_curve", "stage": "source"}),
    },
)
"""`settings.json` of the window, with the steps of undo of its panels."""
GRID = KeyTable(
    {"kinds": "labels", "by": "drawn_with"},
    {"mix": MIX, "drawn_with": KeyTable({"heat": "temperature_map", "shares": "share_map"})},
)
"""The record of the pictures in a kept grid."""
