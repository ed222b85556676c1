"""What a request costs, measured: `make bench`."""
