"""The conversation of a tab's turns, as the model reads it."""

from typing import Literal

from demo.reasoning import Part
from demo.request import Message
from demo.ui.view.panes import PaneView
from demo.ui.view.turn import Question, Turn, join_begun, join_messages

ASKED = Message("user", "Why?")


def turn(text: str, reasoned: str = "", kind: Literal["turn", "rest"] = "turn") -> Turn:
    """Whose streamed side has all of the answer, and the other side none yet."""
    parts = (Part("reasoning", reasoned), Part("answer", text)) if reasoned else ()
    streamed = PaneView("streamed", "done", text=f"<{reasoned}>{text}" if reasoned else text, parts=parts)
    return Turn(Question("Why?", kind), streamed, PaneView("whole", "stopped"))


def test_an_answer_and_its_rests_are_one_message_whose_reasoning_is_joined_too() -> None:
    turns = [turn("Be", "Hm"), turn("cause", kind="rest"), turn(" so.", ", well", kind="rest"), turn("No.")]
    assert join_messages(turns) == (
        *(ASKED, Message("assistant", "Because so.", "Hm, well")),
        *(ASKED, Message("assistant", "No.")),
    )


def test_the_last_answer_is_continued_as_it_was_written_with_the_marks_of_its_reasoning() -> None:
    first, begun = turn("No."), turn("Be", "Hm")
    assert join_begun([]) == ()
    assert join_begun([begun]) == (ASKED, Message("assistant", "<Hm>Be"))
    turns = [first, begun, turn("cause", kind="rest"), turn(" so", kind="rest")]
    assert join_begun(turns) == (
        *(ASKED, Message("assistant", "No.")),
        *(ASKED, Message("assistant", "<Hm>Because so")),
    )
    assert join_begun([first, turn("Yes")])[2:] == (ASKED, Message("assistant", "Yes"))
