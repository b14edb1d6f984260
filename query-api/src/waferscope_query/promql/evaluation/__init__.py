"""Stage 4, evaluate: a pure function of plan and samples, columnar over all series and steps."""
