"""Soft pins in the form of Mooncake's releases up to 0.3.12.post1, beside that of later ones."""

from __future__ import annotations

import pytest
from mooncake.store import ReplicateConfig, SoftPinAction


def test_the_older_form_is_the_newer_one() -> None:
    config = ReplicateConfig()
    assert config.with_soft_pin is False
    config.with_soft_pin = True
    assert config.soft_pin_action is SoftPinAction.ENABLE
    assert config.soft_pin_ttl_ms is None
    config.with_soft_pin = False
    assert config.soft_pin_action is SoftPinAction.PRESERVE
    config.soft_pin_action = SoftPinAction.ENABLE
    assert config.with_soft_pin is True
    with pytest.raises(TypeError):
        config.with_soft_pin = "no"  # type: ignore[assignment]
