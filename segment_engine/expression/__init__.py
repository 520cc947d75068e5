"""The one typed expression: types, schema, nodes, build (the only constructor), resolve."""
