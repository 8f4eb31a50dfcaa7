"""The log of what an organization's agents bought, used, earned and were refused, and what models cost and bring."""
