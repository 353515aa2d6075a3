"""Which country a telephone number in international form belongs to, as a regular
expression over its digits."""

from functools import cache

from phonenumbers import (
    COUNTRY_CODE_TO_REGION_CODE,
    PhoneMetadata,
    country_code_for_region,
)


def is_country(code: str) -> bool:
    """Whether `code` is the two letters of a country with telephone numbers."""
    return country_code_for_region(code.upper()) != 0


@cache
def phone_pattern(country: str) -> str:
    """What the numbers of `country` look like, to be matched from the start.

    Where countries share a calling code, the form of the national number tells them
    apart.
    """
    region = country.upper()
    code = country_code_for_region(region)
    sharing = COUNTRY_CODE_TO_REGION_CODE[code]
    if len(sharing) == 1:
        return rf"\+{code}"
    metadata = PhoneMetadata.metadata_for_region(region)
    if metadata is None:
        raise KeyError(region)
    if metadata.leading_digits is not None:
        return rf"\+{code}(?:{metadata.leading_digits})"
    kinds = [metadata.fixed_line, metadata.mobile]
    if region == sharing[0]:
        # Numbers without a place, such as toll-free ones, count as the main country's.
        kinds += [
            metadata.toll_free,
            metadata.premium_rate,
            metadata.shared_cost,
            metadata.voip,
            metadata.personal_number,
            metadata.pager,
            metadata.uan,
        ]
    patterns = {
        kind.national_number_pattern
        for kind in kinds
        if kind is not None and kind.national_number_pattern
    }
    return rf"\+{code}(?:{'|'.join(sorted(patterns))})\z"
