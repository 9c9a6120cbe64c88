# Copyright (c) 2026, The appconsistent.azure authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A Windows guest on loopback that unmodified pywinrm and Ansible talk to.

soap      the WS-Management messages
server    HTTP, sign-in, shells and commands
console   takes a command line apart, holds its text against what the collection sends, and runs it on a machine
answers   what each of our commands collects there
machine   the Windows machine: services, writers, registry, files, and what is wrong with it
listings  vssadmin's output in six languages

It shows that the controller's side is right. It runs no PowerShell, so it cannot show that a text is right: that
takes a real Windows and the playbook windows_self_check.yml.
"""
