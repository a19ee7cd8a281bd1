"""What does a model spend when it answers?"""
