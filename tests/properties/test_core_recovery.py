"""A node's view over crashes: the saved state and the log behind it give back what was acknowledged."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from palaver.core import Members, MembershipTable, StateStore, WriteAheadLog

node_ids = st.integers(0, 9).map(lambda n: f"node-{n}")
rows = st.tuples(st.integers(0, 5), st.sampled_from(["alive", "suspect", "dead", "left"]), st.just(0.0))
views = st.dictionaries(node_ids, rows, max_size=4)
steps = st.lists(views | st.sampled_from(["save", "crash", "crash before reset"]), max_size=20)


class Life:
    """A table whose news is in the log before anyone hears of it."""

    def __init__(self, directory: Path) -> None:
        self.store = StateStore(directory / "state")
        self.table = MembershipTable("self")
        state = self.store.load_state()
        if state is not None:
            self.table.merge_bytes(state.snapshot, now=1.0)
        self.log = WriteAheadLog(directory / "log", first_seq=state.seq + 1 if state else 1)
        for _, _, news in self.log.replay():
            self.table.merge_bytes(news, now=1.0)

    def hear(self, view: Members) -> None:
        gossip = MembershipTable("self")
        gossip.merge(view, now=1.0)
        self.log.append(self.table.merge_bytes(gossip.snapshot_bytes(), now=1.0).news)

    def save(self, *, reset: bool = True) -> None:
        self.store.save_membership(self.table, seq=self.log.next_seq - 1)
        if reset:
            self.log.reset()

    def crash(self) -> None:
        self.store.close()
        self.log.close()


@settings(max_examples=50)
@given(steps)
def test_a_view_survives_any_script_of_crashes(script: list[Members | str]) -> None:
    with TemporaryDirectory() as name:
        directory = Path(name)
        life, never_crashed = Life(directory), MembershipTable("self")
        for step in script:
            match step:
                case "save":
                    life.save()
                case "crash" | "crash before reset":
                    if step == "crash before reset":
                        life.save(reset=False)
                    life.crash()
                    life = Life(directory)
                case dict():
                    life.hear(step)
                    never_crashed.merge(step, now=1.0)
            assert life.table.root == never_crashed.root
        life.crash()


@settings(max_examples=30)
@given(st.lists(views, min_size=1, max_size=6), st.data())
def test_a_log_cut_anywhere_gives_the_view_at_one_of_its_changes(
    script: list[Members], data: st.DataObject
) -> None:
    with TemporaryDirectory() as name:
        directory = Path(name)
        life = Life(directory)
        roots = [life.table.root]
        for view in script:
            life.hear(view)
            roots.append(life.table.root)
        life.crash()
        whole = (directory / "log").read_bytes()
        length = data.draw(st.integers(28, len(whole)))
        (directory / "log").write_bytes(whole[:length])
        again = Life(directory)
        assert again.table.root == roots[len(again.log.replay())]
        again.crash()
