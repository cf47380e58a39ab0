"""Random faults of many kinds over whole drains, and then: is every promise kept?"""
