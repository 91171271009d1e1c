"""What the tests share with each other, with the benches and with the pictures of the documentation."""
