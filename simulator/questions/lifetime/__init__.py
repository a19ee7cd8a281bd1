"""When has serving spent what training did?"""
