"""How others see that it runs: log lines, metrics and the dead-man's switch."""
