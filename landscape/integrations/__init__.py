"""The Recorder in trainings of Lightning, Hugging Face Transformers and Accelerate.

Each module needs its package, an extra of the same name, and is loaded on first use:
``landscape.integrations.lightning.LandscapeCallback``.
"""

from typing import TYPE_CHECKING

from landscape.lazy import lazily

if TYPE_CHECKING:
    from landscape.integrations import accelerate, lightning, transformers

__all__ = ["accelerate", "lightning", "transformers"]

__getattr__, __dir__ = lazily(__name__, {name: name for name in __all__})
