"""What is put into the form, such as a remedy: all that it changes is told, also what followed of itself."""

from __future__ import annotations

from person import Opener


async def test_a_rate_that_follows_the_activation_is_told_too(open_app: Opener) -> None:
    async with open_app({"model": "mlp", "dataset": "digits", "activation": "sigmoid"}) as person:
        before = person.setup.state["lr"]
        told = person.setup.apply({"activation": "relu", "lr": 0.1})
        assert before != "0.1"
        assert told == f"activation sigmoid → relu, lr {before} → 0.1"
