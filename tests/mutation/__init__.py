"""Would the tests notice? Mistakes planted in the library one by one, and who finds each."""
