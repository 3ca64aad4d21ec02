import pytest

from landscape.integrations.extras import needed


def test_a_package_that_is_not_installed_is_named_with_its_extra():
    with (
        pytest.raises(ModuleNotFoundError, match=r"accuracy-landscape\[nobody_has_it\]"),
        needed("nobody_has_it"),
    ):
        import nobody_has_it  # noqa: F401
    with pytest.raises(ModuleNotFoundError, match="No module named 'another'"), needed("mine"):
        import another  # noqa: F401
