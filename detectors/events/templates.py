"""Templates of log lines, by Drain: what stays the same in lines that say the same.

Of `drain3-improved`, which carries on the abandoned drain3, only the tree is used; its state is
made anew from texts, never stored.
Source: He et al., "Drain: an online log parsing approach with fixed depth tree", ICWS 2017.
"""

from __future__ import annotations

from collections.abc import Iterable

from drain3.drain import Drain

# Share of words that lines of one template have in common. Drain's authors have .4, for lines whose
# numbers are words; ours come masked, and "refused" is not "reset".
SIMILAR = 0.7
DEPTH = 4
ANYTHING = "<*>"
# Words of a line that are looked at.
MOST_WORDS = 40


class Templates:
    """Templates of the lines of one cluster: learned from a history, then as lines come.

    The same texts in the same order give the same templates. The name of a template is fixed once
    the history is learned; a later one is named by its first line, so that no name changes.

    >>> seen = Templates(["cannot reach cart at all", "cannot reach shop at all"])
    >>> seen.of("cannot reach bank at all"), seen.of("disk full"), seen.new
    ('cannot reach <*> at all', 'disk full', {'disk full'})

    Args:
        history: lines, masked, in any order: they are sorted.
    """

    def __init__(self, history: Iterable[str]) -> None:
        self._drain = Drain(depth=DEPTH, sim_th=SIMILAR, parametrize_numeric_tokens=False)
        self._cluster: dict[str, int] = {}
        self.new: set[str] = set()
        """Templates that the history did not have."""
        for text in sorted(set(history)):
            self._cluster[text] = self._add(text)
        self._names = {
            number: cluster.get_template()
            for number, cluster in self._drain.id_to_cluster.items()
            if cluster is not None
        }

    def of(self, text: str) -> str:
        """The template of a line; one like no line before is a new one."""
        number = self._cluster.get(text)
        if number is None:
            number = self._cluster[text] = self._add(text)
        if number not in self._names:
            name = " ".join(text.split()[:MOST_WORDS])
            if name not in self._names.values():
                self.new.add(name)
            self._names[number] = name
        return self._names[number]

    def _add(self, text: str) -> int:
        cluster, _ = self._drain.add_log_message(" ".join(text.split()[:MOST_WORDS]))
        return int(cluster.cluster_id)
