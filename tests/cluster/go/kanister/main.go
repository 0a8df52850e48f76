// Kanister's controller, as its authors wrote it.
package main

import "github.com/kanisterio/kanister/pkg/kancontroller"

func main() { kancontroller.Execute() }
