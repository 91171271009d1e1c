"""The rim: rclpy nodes, parameters, image topics."""
