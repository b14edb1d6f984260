"""Answers of range queries, kept by their steps: a board that asks again computes the new ones only."""
