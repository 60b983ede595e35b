"""What can go wrong, as one tree; the command line prints any of it as one line.

WhoplaysError
├── ModelError        a model that is unknown, damaged, or disagrees with its card
├── ProviderError     an inference provider that is not installed or cannot run
├── SourceError       audio that is missing, empty, damaged, or of no known kind
├── EndpointError     an address that cannot be bound or connected to
├── DataError         a corpus, a split or a run that cannot be used
└── OptionError       an option's value that makes no sense
"""


class WhoplaysError(Exception):
    """The root: its message is one line that says what was wrong and what to do."""


class ModelError(WhoplaysError):
    """A model that is unknown, damaged, or disagrees with its card."""


class ProviderError(WhoplaysError):
    """An inference provider that is not installed or cannot run."""


class SourceError(WhoplaysError):
    """Audio that is missing, empty, damaged, or of no known kind."""


class EndpointError(WhoplaysError):
    """An address that cannot be bound or connected to."""


class DataError(WhoplaysError):
    """A corpus, a split or a run that cannot be used."""


class OptionError(WhoplaysError):
    """An option's value that makes no sense."""
