"""Generates the one style sheet of a theme from its tokens."""

from studio.app.widgets.theme import Theme

_TEXT_ROLES = {  # role: size in px at 100 %, weight, token
    "body": (13, 400, "text"),
    "strong": (13, 500, "text"),
    "soft": (13, 400, "soft"),
    "heading": (12, 600, "faint"),
    "note": (12, 400, "soft"),
    "faint": (12, 400, "faint"),
    "name": (16, 600, "text"),
    "title": (24, 600, "text"),
    "figure": (24, 500, "text"),
    "accent": (13, 600, "accent"),
    "warn": (13, 600, "warn"),
    "caution": (12, 500, "warn"),
    "danger": (12, 500, "danger"),
}

_SHEET = """
QWidget {{ font-size: {p13}px; color: {text}; }}
QWidget[ground="canvas"] {{ background: {canvas}; }}
QWidget[ground="window"] {{ background: {window}; }}
QWidget[ground="panel"] {{ background: {panel}; }}
QFrame[line="true"] {{ background: {line}; border: none; }}
QLabel {{ background: transparent; border: none; }}
QToolTip {{ background: {raised}; color: {text}; border: 1px solid {border}; padding: {p4}px {p6}px;
  font-size: {p12}px; }}
QScrollArea, QScrollArea > QWidget > QWidget[ground="none"] {{ background: transparent; border: none; }}

QPushButton {{ background: {raised}; color: {text}; border: 1px solid {border}; border-radius: {p6}px;
  min-height: {p30}px; padding: 0 {p12}px; font-weight: 600; }}
QPushButton:hover {{ background: {hover}; }}
QPushButton:pressed {{ background: {tint}; }}
QPushButton:disabled {{ color: {faint}; border-color: {groove}; }}
QPushButton[role="primary"] {{ background: {accent}; color: {on_accent}; border-color: {accent}; }}
QPushButton[role="primary"]:hover {{ border-color: {text}; }}
QPushButton[role="primary"]:disabled {{ background: {raised}; color: {faint}; border-color: {groove}; }}
QPushButton[role="stop"] {{ color: {danger}; border-color: {danger}; background: {panel}; }}
QPushButton[role="stop"]:hover {{ background: {hover}; }}
QPushButton[role="link"] {{ background: transparent; border: none; color: {accent}; padding: 0;
  min-height: {p20}px; font-size: {p12}px; border-radius: {p4}px; }}
QPushButton[role="link"]:hover {{ color: {text}; }}
QPushButton[role="link"]:disabled {{ color: {faint}; }}
QPushButton[role="fold"] {{ background: transparent; border: none; color: {soft}; text-align: left; padding: 0;
  font-weight: 400; min-height: {p28}px; }}
QPushButton[role="fold"]:hover {{ color: {text}; }}
QPushButton[role="icon"] {{ background: transparent; border: none; padding: 0; min-height: {p32}px;
  min-width: {p32}px; max-width: {p32}px; }}
QPushButton[role="small"] {{ background: transparent; border: none; padding: 0; min-height: {p26}px;
  min-width: {p26}px; max-width: {p26}px; }}
QPushButton[role="icon"]:hover, QPushButton[role="small"]:hover,
QPushButton[role="picker"]:hover {{ background: {hover}; }}
QPushButton[role="round"], QPushButton[role="record"] {{ border-radius: {p19}px; padding: 0;
  min-height: {p38}px; min-width: {p38}px; max-width: {p38}px; }}
QPushButton[role="round"]:checked {{ background: {accent}; border-color: {accent}; }}
QPushButton[role="record"]:checked {{ border: 2px solid {danger}; }}
QPushButton[role="play"] {{ background: {accent}; border-color: {accent}; border-radius: {p23}px; padding: 0;
  min-height: {p46}px; min-width: {p46}px; max-width: {p46}px; }}
QPushButton[role="play"]:hover {{ border-color: {text}; }}
QPushButton[role="square"] {{ padding: 0; min-width: {p30}px; max-width: {p30}px; }}
QPushButton[role="tool"] {{ padding: 0; min-height: {p34}px; min-width: {p34}px; max-width: {p34}px; }}
QPushButton[role=""]:checked, QPushButton[role="tool"]:checked, QPushButton[role="square"]:checked {{
  background: {tint}; border-color: {accent}; }}
QPushButton[role="picker"] {{ background: transparent; border: none; padding: 0 {p30}px 0 {p6}px; min-height: {p34}px;
  text-align: left; }}
QFrame[role="segments"] {{ background: {window}; border: 1px solid {line}; border-radius: {p6}px; }}
QPushButton[role="segment"] {{ background: transparent; border: 1px solid transparent; border-radius: {p5}px;
  min-height: {p24}px; color: {soft}; padding: 0 {p12}px; }}
QFrame[tight="true"] QPushButton[role="segment"] {{ padding: 0 {p4}px; }}
QPushButton[role="segment"]:hover {{ background: {hover}; }}
QPushButton[role="segment"]:checked {{ background: {raised}; border-color: {border}; color: {text}; }}
QPushButton[role="toggle"] {{ min-height: {p26}px; }}
QPushButton[role="toggle"][tight="true"] {{ padding: 0 {p4}px; }}
QPushButton[role="toggle"]:checked {{ background: {tint}; border-color: {accent}; color: {accent}; }}
QPushButton[role="rail"] {{ background: transparent; border: none; border-radius: {p8}px; padding: 0; }}

QLineEdit, QSpinBox, QComboBox {{ background: {raised}; color: {text}; border: 1px solid {border};
  border-radius: {p6}px; min-height: {p30}px; padding: 0 {p8}px; selection-background-color: {accent};
  selection-color: {on_accent}; }}
QLineEdit:hover, QSpinBox:hover, QComboBox:hover {{ background: {hover}; }}
QSpinBox {{ min-height: {p28}px; }}
QSpinBox::up-button, QSpinBox::down-button {{ width: 0; border: none; }}
QSpinBox QLineEdit {{ border: none; padding: 0 {p6}px; min-height: 0; background: transparent; }}
QLineEdit[wrong="true"] {{ border: 2px solid {danger}; }}
QLineEdit[role="value"], QLineEdit[role="inline"] {{ background: transparent; border: 1px solid transparent;
  border-radius: {p4}px; padding: 0; min-height: {p20}px; }}
QLineEdit[role="value"]:hover, QLineEdit[role="inline"]:hover {{ background: {hover}; }}
QLineEdit[role="value"]:focus, QLineEdit[role="inline"]:focus {{ background: {raised}; border-color: {border}; }}
QLineEdit[role="value"] {{ color: {text}; font-weight: 600; }}
QLineEdit[role="value"][home="true"] {{ color: {faint}; font-weight: 400; }}
QLineEdit[role="value"][narrow="true"] {{ font-weight: 500; }}
QLineEdit[role="bare"] {{ background: transparent; border: none; padding: 0; }}
QFrame[role="field"] {{ background: {raised}; border: 1px solid {border}; border-radius: {p6}px; }}
QFrame[role="field"][wrong="true"] {{ border: 2px solid {danger}; }}
QComboBox::drop-down {{ border: none; width: {p24}px; }}
QComboBox::down-arrow {{ image: none; }}
QAbstractItemView {{ background: {panel}; color: {text}; border: 1px solid {line}; outline: none;
  selection-background-color: {tint}; selection-color: {text}; }}
QAbstractItemView[role="bare"] {{ background: transparent; border: none; }}
QFrame[role="popup"] {{ background: {panel}; border: 1px solid {border}; border-radius: {p8}px; }}
QFrame[role="message"] {{ background: {window}; border: 1px solid {line}; border-radius: {p8}px; }}
QFrame[role="message"] QPushButton {{ min-height: {p26}px; }}
QProgressBar {{ background: {groove}; border: none; border-radius: {p2}px; max-height: {p4}px; min-height: {p4}px; }}
QProgressBar::chunk {{ background: {accent}; border-radius: {p2}px; }}
QScrollBar:vertical {{ background: transparent; width: {p10}px; margin: 0; }}
QScrollBar:horizontal {{ background: transparent; height: {p10}px; margin: 0; }}
QScrollBar::handle {{ background: {groove}; border-radius: {p3}px; margin: {p2}px; min-height: {p28}px;
  min-width: {p28}px; }}
QScrollBar::handle:hover {{ background: {border}; }}
QScrollBar::add-line, QScrollBar::sub-line, QScrollBar::add-page, QScrollBar::sub-page {{ background: none;
  border: none; width: 0; height: 0; }}
QMenu {{ background: {panel}; border: 1px solid {border}; padding: {p4}px; }}
QMenu::item {{ padding: {p6}px {p16}px; border-radius: {p4}px; }}
QMenu::item:selected {{ background: {tint}; color: {text}; }}
QMenu::item:disabled {{ color: {faint}; }}
"""


def make_style_sheet(theme: Theme) -> str:
    """Return the style sheet with the theme's colours and its text size."""
    lengths = {
        f"p{n}": theme.scaled(n) for n in (2, 3, 4, 5, 6, 8, 10, 12, 13, 16, 19, 20, 23, 24, 26, 28, 30, 32, 34, 38, 46)
    }
    colours = {name: getattr(theme.tokens, name) for name in theme.tokens.__dataclass_fields__}
    label_rules = "".join(
        f'QLabel[role="{role}"] {{ font-size: {theme.scaled(size)}px; font-weight: {weight};'
        f" color: {colours[token]}; }}\n"
        for role, (size, weight, token) in _TEXT_ROLES.items()
    )
    return _SHEET.format(**lengths, **colours) + label_rules
