"""Stands for the wrapper and does nothing: what a program does with it is what it does without the wrapper."""

import os


class _Block:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        return None

    def __call__(self, function):
        return function

    def step(self, _name, **_):
        return _Block()

    def track(self, items, **_):
        return items

    def progress(self, *_, **__):
        pass

    processed = log = record = fail = skip = cancel = progress


def configure(**_):
    pass


def job(_name, **_):
    return _Block()


def step(_name, **_):
    return _Block()


def current_job():
    return _Block()


def carry(function):
    return function


def environment():
    return dict(os.environ)


def flush(_timeout=3.0):
    return True
