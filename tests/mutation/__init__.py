"""Mutation tests: each small fault in a module must make one of its tests fail. Run by `make mutants`."""
