"""Settings that deserve a look: what history and the other clusters say of them."""
