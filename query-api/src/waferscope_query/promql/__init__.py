"""PromQL: parse, plan, select, evaluate, render."""
