"""The contracts of keystatus: what its topics carry, as frozen pydantic models.

Pure: these modules import the standard library, pydantic and each other.
"""
