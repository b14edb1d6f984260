"""Helpers of this room's tests."""
